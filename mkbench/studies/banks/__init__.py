"""Analysis of concept banks: diversity, and accuracy of the classification by their descriptors."""
