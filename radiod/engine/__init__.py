"""What connects several nodes: engines that carry messages between them, one package each."""
