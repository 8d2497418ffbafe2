//! Every case below `cases/` is one test of this crate.

netcase::cases!("cases");
