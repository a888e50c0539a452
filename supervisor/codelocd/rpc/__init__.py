"""MessagePack-RPC over Unix sockets: peers that ask and answer, a server that accepts them."""
