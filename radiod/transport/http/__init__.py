"""The HTTP/1.1 server: connections, requests, and answers that are whole or go on."""
