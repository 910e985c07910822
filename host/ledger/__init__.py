"""Reading what the boxes recorded."""
