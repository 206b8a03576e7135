//! One echo request, and whoever has something to say about it.

use std::net::IpAddr;

use super::{LabError, Namespace};

/// What came of one echo request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Echo {
    /// It was answered.
    Answered {
        /// The TTL or hop limit of the answer.
        ttl: u8,
    },
    /// Somebody on the way gave it up.
    Refused {
        /// Who.
        by: IpAddr,
        /// Why, in the words of `ping`.
        reason: String,
    },
    /// Nobody said anything.
    Lost,
}

impl Echo {
    /// Sends an echo request, with a TTL or hop limit if one is given.
    pub fn ask(from: &Namespace, to: IpAddr, ttl: Option<u8>) -> Result<Self, LabError> {
        let mut ping = from.tool("ping").args(["-n", "-c", "1", "-W", "1"]);
        if let Some(ttl) = ttl {
            ping = ping.args(["-t", &ttl.to_string()]);
        }
        let output = ping.arg(to.to_string()).output()?;
        Ok(Self::parse(&String::from_utf8_lossy(&output.stdout)))
    }

    /// Reads what `ping -n` of iputils prints of one request.
    fn parse(text: &str) -> Self {
        let of_line = |line: &str| {
            if let Some((_, rest)) = line.split_once(" ttl=") {
                return Some(Self::Answered { ttl: rest.split(' ').next()?.parse().ok()? });
            }
            let (by, rest) = line.strip_prefix("From ")?.split_once(' ')?;
            let (_, reason) = rest.strip_prefix("icmp_seq=")?.split_once(' ')?;
            Some(Self::Refused { by: by.parse().ok()?, reason: reason.to_owned() })
        };
        text.lines().find_map(of_line).unwrap_or(Self::Lost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ping_prints_of_one_request() {
        let refused =
            |by: &str, reason: &str| Echo::Refused { by: by.parse().expect("an address"), reason: reason.to_owned() };
        for (line, seen) in [
            ("64 bytes from 10.0.1.31: icmp_seq=1 ttl=63 time=0.321 ms", Echo::Answered { ttl: 63 }),
            ("64 bytes from fd00:11::1f: icmp_seq=1 ttl=63 time=0.4 ms", Echo::Answered { ttl: 63 }),
            ("From 10.0.0.1 icmp_seq=1 Time to live exceeded", refused("10.0.0.1", "Time to live exceeded")),
            ("From fd00:10::1 icmp_seq=1 Time exceeded: Hop limit", refused("fd00:10::1", "Time exceeded: Hop limit")),
            ("From fd00:10:: icmp_seq=1 Time exceeded: Hop limit", refused("fd00:10::", "Time exceeded: Hop limit")),
            ("1 packets transmitted, 0 received, 100% packet loss, time 0ms", Echo::Lost),
        ] {
            let text = format!("PING 10.0.1.31 (10.0.1.31) 56(84) bytes of data.\n{line}\n\n--- statistics ---\n");
            assert_eq!(Echo::parse(&text), seen);
        }
    }
}
