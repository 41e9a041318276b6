"""The checks of the doctor. Each returns findings and changes nothing."""
