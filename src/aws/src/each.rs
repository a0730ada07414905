//! Reading wanted resources one by one, where a service has no list that tells enough of many.

use crate::Aws;
use formwork_engine::{Failure, Found, Reconcile, Subject};
use futures::future::try_join_all;

/// How many are read at the same time: well below the services' request rates.
const READS_AT_ONCE: usize = 8;

/// Reads each of the wanted ones, some at a time.
pub(crate) async fn each<R: Reconcile<Cloud = Aws>>(
    cloud: &Aws,
    wanted: &[Subject],
) -> Result<Vec<Found<R>>, Failure> {
    let mut found = vec![];
    for some in wanted.chunks(READS_AT_ONCE) {
        let reads: Vec<_> = some.iter().map(|subject| R::read(cloud, subject)).collect();
        found.extend(try_join_all(reads).await?.into_iter().flatten());
    }
    Ok(found)
}
