"""A plugin for Mercury that Mercury knows nothing of."""
