"""What people read of a device, in the words of IOS XE (protocol, "What people read")."""
