//! A small community on a real store, for the tests of this crate.

use std::sync::atomic::{AtomicU64, Ordering};

use banyan_governance::kits::{self, Kit};
use banyan_governance::proposal::{New, Proposal, ProposalOption};
use banyan_governance::tally::{Detail, Outcome, Verdict};
use banyan_governance::{Decision, Enactment, MemberId, ProposalId, Time};
use banyan_identity::SigningKey;
use banyan_store::rusqlite::{Connection, params};
use banyan_store::{Store, StoreKey};
use tempfile::TempDir;

use crate::assembly::{Assembly, Change, rooms};
use crate::enact;
use crate::error::AssemblyError;

/// When communities are founded here.
pub(crate) const FOUNDED: Time = Time(1_790_000_000);

/// A community on a store in a folder of its own.
pub(crate) struct World {
    pub(crate) assembly: Assembly,
    /// The founder, a steward, and those who came after.
    pub(crate) members: Vec<MemberId>,
    data: TempDir,
}

impl World {
    /// A community of so many with this kit.
    pub(crate) async fn founded(kit: &str, members: u64) -> Self {
        Self::with(kits::find(kit).unwrap(), members).await
    }

    /// The same with a kit of one's own.
    pub(crate) async fn with(kit: &Kit, members: u64) -> Self {
        let data = tempfile::tempdir().unwrap();
        let assembly = open(&data);
        let members: Vec<MemberId> = (1..=members).map(MemberId::from_random).collect();
        let (everybody, kit) = (members.clone(), kit.clone());
        assembly
            .change(FOUNDED, move |change| {
                everybody.iter().try_for_each(|member| write_down(change, member))?;
                enact::name_community(change, "Test")?;
                for enactment in kits::found(&kit, &everybody[0], &[]) {
                    enact::enact(change, &enactment)?;
                }
                Ok(())
            })
            .await
            .unwrap();
        Self { assembly, members, data }
    }

    /// One more member.
    pub(crate) async fn joined_by(&mut self, member: MemberId, now: Time) {
        self.members.push(member.clone());
        self.change(now, move |change| write_down(change, &member)).await.unwrap();
    }

    /// The same box after a power cut: nothing but what is on the disk.
    pub(crate) fn reopened(self) -> Self {
        let Self { assembly, members, data } = self;
        drop(assembly);
        Self { assembly: open(&data), members, data }
    }

    pub(crate) async fn change<T: Send + 'static>(
        &self,
        now: Time,
        change: impl FnOnce(&Change<'_>) -> Result<T, AssemblyError> + Send + 'static,
    ) -> Result<T, AssemblyError> {
        self.assembly.change(now, change).await
    }

    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, AssemblyError> + Send + 'static,
    ) -> T {
        self.assembly.read(read).await.unwrap()
    }

    /// How many entries the ledger has; it verifies.
    pub(crate) async fn ledger(&self) -> u64 {
        let key = self.assembly.public_key();
        self.read(move |connection| Ok(banyan_ledger::verify(connection, &key, |_| {}).unwrap().entries))
            .await
    }

    /// What kinds of entries the ledger has, oldest first.
    pub(crate) async fn kinds(&self) -> Vec<String> {
        let entries = self.read(|connection| Ok(banyan_ledger::page(connection, None, 10_000)?)).await;
        entries.into_iter().rev().map(|entry| entry.kind).collect()
    }

    /// The rows of a table as texts, in the order of the texts.
    pub(crate) async fn rows(&self, sql: &'static str) -> Vec<String> {
        self.read(move |connection| {
            let mut statement = connection.prepare(sql)?;
            let columns = statement.column_count();
            let rows = statement.query_map([], |row| {
                let cells = (0..columns).map(|column| Ok(format!("{:?}", row.get_ref(column)?)));
                Ok(cells.collect::<Result<Vec<_>, banyan_store::rusqlite::Error>>()?.join(" | "))
            })?;
            let mut rows = rows.collect::<Result<Vec<_>, _>>()?;
            rows.sort();
            Ok(rows)
        })
        .await
    }
}

fn write_down(change: &Change<'_>, member: &MemberId) -> Result<(), AssemblyError> {
    change.tx.execute(
        "INSERT INTO members (id, name, name_key, secret, joined) VALUES (?1, ?1, ?1, x'00', ?2)",
        params![member.as_str(), change.now.0],
    )?;
    Ok(())
}

fn open(data: &TempDir) -> Assembly {
    let store = Store::open(data.path(), &StoreKey::from_bytes([3; 32]), &rooms()).unwrap();
    Assembly::open(store, SigningKey::from_bytes(&[7; 32])).unwrap()
}

/// A proposal that everybody agreed to: how governance makes an enactment of this decision.
pub(crate) fn decided(decision: Decision) -> Enactment {
    static NUMBER: AtomicU64 = AtomicU64::new(1000);
    let constitution = &kits::find("circle").unwrap().constitution;
    let author = MemberId::from_random(1);
    let id = ProposalId::from_random(NUMBER.fetch_add(1, Ordering::SeqCst));
    let option = ProposalOption { title: "Yes".into(), decision: Some(decision) };
    let new = New { title: "A".into(), text: "B".into(), topic_if_none: None, options: vec![option] };
    let mut proposal = Proposal::draft(id, author.clone(), new, constitution, FOUNDED).unwrap();
    proposal.submit(&author, constitution, FOUNDED).unwrap();
    let opens = proposal.opens_earliest().unwrap();
    proposal.open(opens).unwrap();
    let outcome = Outcome {
        verdict: Verdict::Accepted { option: 0 },
        electorate: 1,
        taking_part: 1,
        delegated: 0,
        detail: Detail::YesNo { yes: 1, no: 0, abstain: 0, reasons: vec![] },
    };
    let closes = proposal.closes().unwrap();
    proposal.close(&outcome, closes).unwrap()
}
