"""Where photos come from: a share with a manifest, a folder of DICOM objects; each a `PhotoSource`."""
