"""What the Active node serves: the device endpoint, and the pages."""
