"""Commands of the gateway, which the `penstock` command loads by their names."""
