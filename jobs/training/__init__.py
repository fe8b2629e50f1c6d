"""Training data: photos with labels to aligned crops on disk, their reader, and the ledger of what taught a model."""
