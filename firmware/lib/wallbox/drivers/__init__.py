"""One device a file: they sense and act, and hold no rule."""
