//! A veth pair in one namespace, and frames put on it.

use std::ffi::CString;
use std::io;

use netcase::namespace::Namespace;
use nix::net::if_::if_nametoindex;
use rtnetlink::{LinkUnspec, LinkVeth};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

const ENDS: [&str; 2] = ["eth0", "eth1"];

/// Makes the pair where the thread is, and takes everything up.
pub(crate) fn make() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (connection, handle, _) = rtnetlink::new_connection()?;
        tokio::spawn(connection);
        let [first, second] = ENDS;
        let pair = LinkVeth::new(first, second).mtu(9500).build();
        handle.link().add(pair).execute().await.map_err(io::Error::other)?;
        // The end that is taken up last has a carrier at once; the other drops what it sends until the kernel's link watch
        // has come by (`dev_activate` of net/sched/sch_generic.c).
        for name in ["lo", second, first] {
            let change = LinkUnspec::new_with_name(name).mtu(9500).up().build();
            handle.link().set(change).execute().await.map_err(io::Error::other)?;
        }
        Ok(())
    })
}

/// The indexes of the two ends.
pub(crate) fn indexes(node: &Namespace) -> [u32; 2] {
    ENDS.map(|name| {
        let name = CString::new(name).expect("a name has no zero byte");
        node.within(|| Ok(if_nametoindex(name.as_c_str())?)).expect("the end is there")
    })
}

/// Puts frames on the first end.
pub(crate) struct Sender(Socket);

impl Sender {
    pub(crate) fn open(node: &Namespace) -> Self {
        let socket = node.within(|| Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(0))));
        let socket = socket.expect("a packet socket can be opened");
        let index = i32::try_from(indexes(node)[0]).expect("indexes are small");
        // SAFETY: the storage is zeroed, large enough for sockaddr_ll and aligned for it, and the length set is its length.
        #[expect(unsafe_code, reason = "socket2 has no link-layer addresses")]
        let made = unsafe {
            SockAddr::try_init(|storage, length| {
                let link = storage.cast::<libc::sockaddr_ll>();
                (*link).sll_family = libc::sa_family_t::try_from(libc::AF_PACKET).expect("families are small");
                (*link).sll_ifindex = index;
                *length = libc::socklen_t::try_from(size_of::<libc::sockaddr_ll>()).expect("addresses are small");
                Ok(())
            })
        };
        let ((), address) = made.expect("an address can be made");
        socket.bind(&address).expect("a packet socket can be bound");
        Self(socket)
    }

    pub(crate) fn send(&self, frame: &[u8]) {
        assert_eq!(self.0.send(frame).expect("a frame can be sent"), frame.len());
    }
}
