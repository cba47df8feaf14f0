"""How engines are reached: one small HTTP port, our own keep-alive client for plain hosts, aiohttp behind TLS."""
