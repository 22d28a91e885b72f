//! What a size costs, beside network caches alone. All prices are the user's; the defaults are an
//! example: two nodes of 26 GiB with their traffic between zones, against a small cold cache behind the
//! one in the process.

use serde_json::{Value, json};

const GIB: f64 = (1u64 << 30) as f64;

/// From, to; in the user's currency, a month.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range(pub f64, pub f64);

/// Prices, a month each.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prices {
    /// A GiB of the memory that services run in.
    pub per_gb: f64,
    /// Processes that each have a cache of the size.
    pub instances: u64,
    /// All nodes of the network cache that would serve everything.
    pub nodes: f64,
    /// Their traffic between zones.
    pub traffic: Range,
    /// The network cache that serves only what misses in the process.
    pub cold: Range,
}

/// What it comes to, a month.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Costs {
    /// Memory of the caches in all processes.
    pub memory: f64,
    /// Network caches alone.
    pub network: Range,
    /// The cache in the process, and a cold one behind it.
    pub near: Range,
    /// The difference: at least, at most.
    pub saved: Range,
}

impl Prices {
    /// For caches of so many bytes.
    pub fn of(&self, bytes: u64) -> Costs {
        let memory = bytes as f64 / GIB * self.per_gb * self.instances as f64;
        let network = Range(self.nodes + self.traffic.0, self.nodes + self.traffic.1);
        let near = Range(self.cold.0 + memory, self.cold.1 + memory);
        Costs {
            memory,
            network,
            near,
            saved: Range(network.0 - near.1, network.1 - near.0),
        }
    }
}

impl Costs {
    /// As JSON.
    pub fn json(&self, prices: &Prices) -> Value {
        let cents = |price: f64| (price * 100.0).round() / 100.0;
        let range = |Range(from, to): Range| json!([cents(from), cents(to)]);
        json!({
            "price_per_gb_month": prices.per_gb,
            "instances": prices.instances,
            "memory": cents(self.memory),
            "network_cache": range(self.network),
            "near_cache": range(self.near),
            "saved": range(self.saved),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_is_the_sum_that_it_says() {
        let prices = Prices {
            per_gb: 3.0,
            instances: 4,
            nodes: 480.0,
            traffic: Range(50.0, 150.0),
            cold: Range(120.0, 180.0),
        };
        let costs = prices.of(1 << 30);
        assert_eq!(costs.memory, 12.0);
        assert_eq!(costs.network, Range(530.0, 630.0));
        assert_eq!(costs.near, Range(132.0, 192.0));
        assert_eq!(costs.saved, Range(338.0, 498.0));
    }
}
