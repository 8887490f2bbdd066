"""Many product instances at once: `smartlic fleet`. It needs `pip install 'smartlic[fleet]'`."""
