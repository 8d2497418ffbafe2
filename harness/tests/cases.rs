//! Every case below `cases/` is one test.

netcase::cases!("../cases");
