"""What leaves the warehouse: researchers' views as files, and scores as DICOM objects for the PACS."""
