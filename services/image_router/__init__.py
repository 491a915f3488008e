"""image-router: takes images by DICOM, has models read them, and says what was found or why nothing was read."""
