"""The engines that run compiled SQL; what differs between them is a capability flag, nowhere else an `if engine`."""
