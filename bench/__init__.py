"""Measures the real server beside the bare-stack yardstick: `python -m bench` or `make bench`."""
