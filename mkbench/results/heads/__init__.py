"""What runs about attention heads come to: texts and labels, analyses, removal, segmentation."""
