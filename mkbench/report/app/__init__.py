"""Page to ask a model with images and texts of one's own, served by Gradio."""
