"""How engines are reached: one small HTTP port, and our own keep-alive client, in the clear or behind TLS."""
