//! The local cloud: real parts on loopback, started and stopped by formwork itself.
