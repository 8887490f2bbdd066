"""A cluster as a library: in threads of this process or in processes, behind the same interface."""
