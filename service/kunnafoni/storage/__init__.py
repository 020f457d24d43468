"""The database of the server: the connection to it and its migrations. It knows no jobs and no messages."""
