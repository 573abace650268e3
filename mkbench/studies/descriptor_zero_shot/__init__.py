"""Zero-shot classification by descriptors."""
