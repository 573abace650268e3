"""Zero-shot segmentation by attention heads."""
