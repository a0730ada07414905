//! How long an apply waits, and how often it looks.

use std::time::Duration;

/// Waits of an apply. All have a bound.
#[derive(Clone, Debug)]
pub struct Patience {
    /// The first pause between two looks; each next one is longer by half.
    pub first_pause: Duration,
    pub longest_pause: Duration,
    /// For something created or changed to become ready. EKS clusters and RDS instances take up to half an hour.
    pub ready: Duration,
    /// For something deleted to be gone.
    pub gone: Duration,
    /// For something that is in use, or in a state that forbids the call, to be free for it.
    pub busy: Duration,
    /// For something that was created to show up in a read, before it counts as never created.
    pub visible: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            first_pause: Duration::from_millis(100),
            longest_pause: Duration::from_secs(10),
            ready: Duration::from_secs(45 * 60),
            gone: Duration::from_secs(45 * 60),
            busy: Duration::from_secs(10 * 60),
            visible: Duration::from_secs(5),
        }
    }
}

/// The pauses of one wait.
pub(crate) struct Pauses {
    next: Duration,
    longest: Duration,
    until: tokio::time::Instant,
}

impl Patience {
    pub(crate) fn pauses(&self, at_most: Duration) -> Pauses {
        Pauses {
            next: self.first_pause,
            longest: self.longest_pause,
            until: tokio::time::Instant::now() + at_most,
        }
    }
}

impl Pauses {
    /// Pauses, and says whether there is time for another look.
    pub(crate) async fn pause(&mut self) -> bool {
        if tokio::time::Instant::now() >= self.until {
            return false;
        }
        tokio::time::sleep(self.next).await;
        self.next = (self.next * 3 / 2).min(self.longest);
        true
    }
}
