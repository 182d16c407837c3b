"""What training minimises: losses of the outputs, penalties of the weights."""
