"""What the figures of storage need: servers, data, and the programs of the clients that are compared."""
