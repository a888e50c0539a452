"""The conversation of a runner with the daemon: JSON values, MessagePack-RPC, sockets."""
