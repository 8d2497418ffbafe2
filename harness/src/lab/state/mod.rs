//! The kernel's state as observations: what the state checks look at.

mod link;
mod listing;
mod neighbour;
mod route;

pub use link::link_state;
pub(super) use link::{cidr_of, identity_of, mac_of, name_by_index, name_of, peer_index, settled_above, settled_link};
pub use listing::{listed, shared};
pub use neighbour::{HopState, neighbours_of, next_hop_state};
pub(super) use neighbour::{destination, neighbour_state};
pub use route::{lookup_route, main_routes};
pub(super) use route::{route_of, table};
