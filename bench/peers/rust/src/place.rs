//! On which CPU each driver runs: dealt to those that are allowed, in the order in
//! which core/base/affinity.c deals them, the first hardware thread of each core
//! first.

use std::fs;
use std::mem::size_of;

/// The CPUs that the process may use; none where the system does not tell.
pub fn allowed() -> Vec<usize> {
    // SAFETY: all zeros is a valid set, which the call then fills in.
    let set = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        if libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut set) != 0 {
            return Vec::new();
        }
        set
    };
    let is_set = |cpu: &usize| unsafe { libc::CPU_ISSET(*cpu, &set) };

    dealt((0..libc::CPU_SETSIZE as usize).filter(is_set).collect(), siblings)
}

/// As the system lists them, such as "0,2" or "0-1".
fn siblings(cpu: usize) -> String {
    let path = format!("/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list");

    fs::read_to_string(path).unwrap_or_default()
}

/// First those that have none before them of the same core, then those that have one.
fn dealt(cpus: Vec<usize>, siblings: impl Fn(usize) -> String) -> Vec<usize> {
    let cores: Vec<String> = cpus.iter().map(|cpu| siblings(*cpu)).collect();
    let before = |i: usize| {
        let same = |core: &&String| !core.is_empty() && **core == cores[i];
        cores[..i].iter().filter(same).count()
    };
    let mut order: Vec<(usize, usize)> = (0..cpus.len()).map(|i| (before(i), cpus[i])).collect();

    order.sort_unstable();
    order.into_iter().map(|(_, cpu)| cpu).collect()
}

/// Keeps the calling thread on this CPU. False: the system refuses.
pub fn keep_on(cpu: usize) -> bool {
    // SAFETY: all zeros is a valid set, and the CPU is one of it.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(cpu, &mut set);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thread_of_each_core_comes_first() {
        let core = |cpu: usize| format!("{},{}", cpu & !1, cpu | 1);

        assert_eq!(dealt(vec![0, 1, 2, 3], core), [0, 2, 1, 3]);
        assert_eq!(dealt(vec![1, 2, 3], core), [1, 2, 3]);
        assert_eq!(dealt(vec![2, 3, 5], |_| String::new()), [2, 3, 5]);
    }

    #[test]
    fn a_thread_stays_where_it_is_kept() {
        let cpus = allowed();
        let last = *cpus.last().unwrap();
        let seen = std::thread::spawn(move || (keep_on(last), allowed())).join().unwrap();

        assert_eq!(seen, (true, vec![last]));
        assert_eq!(allowed(), cpus);
    }
}
