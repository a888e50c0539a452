"""How a runner and the daemon speak: JSON values, MessagePack-RPC, sockets."""
