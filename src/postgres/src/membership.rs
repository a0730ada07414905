//! Acting for another role: what it takes without superuser to give things to it and to change its things.

use crate::{Postgres, quote::ident, session};
use formwork_engine::{Failure, FailureKind};

impl Postgres {
    /// Makes sure that we have the privileges of a role and can give things to it, by a membership of our
    /// own in it where there is none yet.
    ///
    /// `OWNER x` needs that of whoever isn't superuser. Up to PostgreSQL 15, `CREATEROLE` lets us join any
    /// role; from 16 on only those that we made or administer. It goes when the role is dropped.
    /// <https://www.postgresql.org/docs/16/role-membership.html>
    pub(crate) async fn act_for(&self, role: &str) -> Result<(), Failure> {
        if self.acts_for(role).await? {
            return Ok(());
        }
        let options = match self.has_membership_options() {
            true => " WITH INHERIT TRUE, SET TRUE",
            false => "",
        };
        let grant = format!("GRANT {} TO CURRENT_USER{options}", ident(role)?);
        let denied = |failure: Failure| match failure.kind {
            FailureKind::Denied => failure.context(format!("acting for the role `{role}`")).hint(
                format!("make the server's `user` a member of `{role}`, or its administrator"),
            ),
            _ => failure,
        };
        self.own().await?.change(&[grant]).await.map_err(denied)?;
        if self.acts_for(role).await? {
            return Ok(());
        }
        Err(Failure::denied(format!("membership in `{role}` doesn't give its privileges"))
            .hint("the server's `user` must be a role that inherits (`INHERIT`)"))
    }

    async fn acts_for(&self, role: &str) -> Result<bool, Failure> {
        let may_set = if self.has_membership_options() { "SET" } else { "MEMBER" };
        let sql =
            format!("SELECT pg_has_role($1::name, '{may_set}') AND pg_has_role($1::name, 'USAGE')");
        let rows = self.own().await?.query(&sql, &[&role]).await?;
        Ok(rows.first().map(|row| session::get(row, 0)).transpose()?.unwrap_or(false))
    }
}
