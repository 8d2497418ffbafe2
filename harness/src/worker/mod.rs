//! One process per case: the parent's side ([`supervise`]), the child's ([`child`]), and what they say to each other.

pub mod child;
pub mod message;
pub mod supervise;
