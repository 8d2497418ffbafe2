//! What an interface has for its neighbours, in the kernel's numbers (linux/neighbour.h, `NDTPA_*`).

use rtnetlink::packet_route::neighbour_table::NeighbourTableParameter;

/// A setting of [`NEIGHBOUR_BASELINE`](crate::lab::NEIGHBOUR_BASELINE) as the kernel is told it.
pub(super) fn neighbour_parameter(setting: &str, value: u64) -> Option<NeighbourTableParameter> {
    let count = u32::try_from(value).ok()?;
    Some(match setting {
        "retrans_time_ms" => NeighbourTableParameter::RetransTime(value),
        "base_reachable_time_ms" => NeighbourTableParameter::BaseReachableTime(value),
        "gc_stale_time" => NeighbourTableParameter::GcStaletime(value),
        "delay_first_probe_time" => NeighbourTableParameter::DelayProbeTime(value),
        "app_solicit" => NeighbourTableParameter::AppProbes(count),
        "ucast_solicit" => NeighbourTableParameter::UcastProbes(count),
        "mcast_solicit" => NeighbourTableParameter::McastProbes(count),
        "mcast_resolicit" => NeighbourTableParameter::McastReprobes(count),
        "anycast_delay" => NeighbourTableParameter::AnycastDelay(value),
        "proxy_delay" => NeighbourTableParameter::ProxyDelay(value),
        "proxy_qlen" => NeighbourTableParameter::ProxyQlen(count),
        "locktime" => NeighbourTableParameter::Locktime(value),
        "unres_qlen_bytes" => NeighbourTableParameter::QueueLenbytes(count),
        "interval_probe_time_ms" => NeighbourTableParameter::IntervalProbeTimeMs(value),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::NEIGHBOUR_BASELINE;

    #[test]
    fn every_setting_for_neighbours_is_known_to_the_kernel_by_a_number() {
        let unknown: Vec<_> =
            NEIGHBOUR_BASELINE.iter().filter(|(setting, ..)| neighbour_parameter(setting, 1).is_none()).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    }
}
