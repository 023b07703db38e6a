//! What happens to the workers while a history goes on: a seeded schedule of SIGKILLs and of workers that come and go.

use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::history::Phase;
use crate::chaos::fault::N_WORKERS;
use crate::chaos::fleet::Fleet;
use crate::process::WorkerProcess;
use crate::seeded::Seeded;

/// How long the group keeps a silent worker's partitions here.
pub(crate) const SESSION: Duration = Duration::from_secs(6);

/// One thing that happens in a phase, so long after it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Fault {
    /// SIGKILL and a new start at once.
    Kill { worker: usize },
    /// SIGKILL in the middle of the first commit of the phase.
    KillInCommit { worker: usize, step: &'static str },
    /// SIGKILL; it comes back only when the others have its partitions.
    Lose { worker: usize },
    /// SIGTERM and a new start.
    Stop { worker: usize },
    /// Another worker comes, and goes after the phase.
    Extra,
}

pub(crate) struct Faults {
    settings: Rc<dyn Fn(&str) -> String>,
    seeded: Option<Seeded>,
    workers: Workers,
    /// What is still to happen in this phase.
    planned: Vec<(Duration, Fault)>,
    sent: Instant,
    extra: Option<WorkerProcess>,
    lost: Vec<(Instant, usize)>,
    held: Option<(usize, WorkerProcess)>,
    pub(crate) n_kills: usize,
    pub(crate) n_kills_in_commit: usize,
    pub(crate) n_rebalances: usize,
}

/// Many workers, or one.
enum Workers {
    None,
    Fleet(Fleet),
    One(WorkerProcess),
}

impl Faults {
    /// Three workers to which something happens in most phases. Without a seed one worker is left in peace.
    pub(crate) fn new(seed: Option<u64>, settings: impl Fn(&str) -> String + 'static) -> Self {
        Self {
            settings: Rc::new(settings),
            seeded: seed.map(Seeded::new),
            workers: Workers::None,
            planned: Vec::new(),
            sent: Instant::now(),
            extra: None,
            lost: Vec::new(),
            held: None,
            n_kills: 0,
            n_kills_in_commit: 0,
            n_rebalances: 0,
        }
    }

    /// Starts the workers.
    pub(crate) fn begin(&mut self) -> Result<()> {
        let settings = Rc::clone(&self.settings);
        self.workers = match &self.seeded {
            None => Workers::One(WorkerProcess::start(&settings(""))?),
            Some(_) => Workers::Fleet(Fleet::start(move |name| settings(name))?),
        };
        Ok(())
    }

    /// Draws what happens in a phase. Where photos are awaited, no worker is lost: their tries would be over before it is back.
    pub(crate) fn before(&mut self, number: usize, phase: &Phase) -> Result<()> {
        self.planned.clear();
        self.sent = Instant::now();
        let Some(seeded) = &mut self.seeded else { return Ok(()) };
        let worker = seeded.below(N_WORKERS) as usize;
        let after = Duration::from_millis(20 + seeded.below(700));
        let is_large = matches!(phase, Phase::Listings(messages) if messages.len() > 100);
        let fault = match seeded.below(10) {
            0..4 => Fault::Kill { worker },
            4..6 if is_large => {
                let steps = [
                    "transaction.sent",
                    "transaction.delivered",
                    "transaction.offsets",
                    "transaction.committed",
                ];
                Fault::KillInCommit { worker, step: steps[seeded.below(4) as usize] }
            }
            6 if is_large && number > 0 => Fault::Lose { worker },
            7 => Fault::Stop { worker },
            8 if self.extra.is_none() => Fault::Extra,
            _ => return Ok(()),
        };
        if self.lost.iter().any(|(_, lost)| *lost == worker) {
            return Ok(());
        }
        eprintln!("phase {number}: {fault:?} after {after:?}");
        if let (Fault::KillInCommit { worker, step }, Workers::Fleet(fleet)) = (&fault, &mut self.workers) {
            fleet.kill(*worker)?;
            let settings = (self.settings)(&Fleet::name(*worker));
            self.held = Some((*worker, WorkerProcess::start_held(&settings, step, 1)?));
            return Ok(());
        }
        self.planned.push((after, fault));
        Ok(())
    }

    /// Does what is due.
    pub(crate) fn tick(&mut self) -> Result<()> {
        let Workers::Fleet(fleet) = &mut self.workers else { return Ok(()) };
        fleet.supervise()?;
        if let Some((worker, mut process)) = self.held.take_if(|(_, process)| process.try_held()) {
            process.kill_now()?;
            fleet.restart(worker)?;
            self.n_kills += 1;
            self.n_kills_in_commit += 1;
        }
        let now = Instant::now();
        let due = self.lost.iter().position(|(until, _)| *until <= now);
        if let Some((_, worker)) = due.map(|at| self.lost.remove(at)) {
            fleet.restart(worker)?;
        }
        let elapsed = self.sent.elapsed();
        let due = self.planned.iter().position(|(after, _)| *after <= elapsed);
        due.map_or(Ok(()), |at| {
            let (_, fault) = self.planned.remove(at);
            self.bring_about(&fault)
        })
    }

    fn bring_about(&mut self, fault: &Fault) -> Result<()> {
        let Workers::Fleet(fleet) = &mut self.workers else { return Ok(()) };
        match fault {
            Fault::Kill { worker } => {
                fleet.kill(*worker)?;
                fleet.restart(*worker)?;
                self.n_kills += 1;
            }
            Fault::Lose { worker } => {
                fleet.kill(*worker)?;
                self.lost.push((Instant::now() + SESSION + Duration::from_secs(2), *worker));
                self.n_kills += 1;
                self.n_rebalances += 2;
            }
            Fault::Stop { worker } => {
                fleet.stop_also_starting(*worker)?;
                fleet.restart(*worker)?;
            }
            Fault::Extra => {
                self.extra = Some(WorkerProcess::start(&(self.settings)(""))?);
                self.n_rebalances += 2;
            }
            Fault::KillInCommit { .. } => {}
        }
        Ok(())
    }

    /// Ends what should not outlast the phase, in part: an extra worker stays for a second one.
    pub(crate) fn after(&mut self) -> Result<()> {
        while !self.planned.is_empty() {
            let (_, fault) = self.planned.remove(0);
            self.bring_about(&fault)?;
        }
        // Where the others were quicker, it has not come to a commit.
        if let (Some((worker, mut process)), Workers::Fleet(fleet)) = (self.held.take(), &mut self.workers) {
            process.kill_now()?;
            fleet.restart(worker)?;
            self.n_kills += 1;
        }
        let goes = self.seeded.as_mut().is_some_and(|seeded| seeded.below(2) == 0);
        if let Some(extra) = self.extra.take_if(|_| goes) {
            extra.terminate()?;
        }
        Ok(())
    }

    /// Stops all workers in good order.
    pub(crate) fn end(&mut self) -> Result<()> {
        if let Some(extra) = self.extra.take() {
            extra.terminate()?;
        }
        match std::mem::replace(&mut self.workers, Workers::None) {
            Workers::None => Ok(()),
            Workers::One(worker) => {
                let status = worker.terminate()?;
                anyhow::ensure!(status.code() == Some(0), "the worker ended with {status}");
                Ok(())
            }
            Workers::Fleet(mut fleet) => {
                for (_, worker) in std::mem::take(&mut self.lost) {
                    fleet.restart(worker)?;
                }
                (0..N_WORKERS as usize).try_for_each(|worker| fleet.stop_also_starting(worker))
            }
        }
    }
}
