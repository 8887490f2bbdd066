"""The pages of the server: the licensing workspace and the administration workspace, rendered here."""
