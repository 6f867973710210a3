//! The fuzz targets of `fuzz/`, over their seeds and mutations of them: bounded, and the same each time.

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

use gridgate::domain::Random as _;
use gridgate::domain::random::SeededRandom;

use crate::checks;

#[test]
fn token() {
    run("token", 10_000, checks::token);
}

#[test]
fn headers() {
    run("headers", 10_000, checks::headers);
}

#[test]
fn scan() {
    run("scan", 10_000, checks::scan);
}

#[test]
fn json() {
    run("json", 10_000, checks::json);
}

#[test]
fn decompression() {
    run("decompression", 10_000, checks::decompression);
}

#[test]
fn frame() {
    run("frame", 10_000, checks::frame);
}

/// Has `check` look at every seed of `target` and at so many mutations of them.
fn run(target: &str, mutations: usize, check: fn(&[u8]) -> bool) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let mut files: Vec<_> = fs::read_dir(folder).expect("seeds").map(|entry| entry.expect("a seed").path()).collect();
    files.sort();
    let seeds: Vec<_> = files.iter().map(|file| fs::read(file).expect("a seed")).collect();
    let verdict = |input: &[u8]| {
        catch_unwind(|| check(input)).unwrap_or_else(|_| panic!("{target} fails with {}", input.escape_ascii()))
    };
    let good = seeds.iter().filter(|seed| verdict(seed)).count();
    assert!((1..seeds.len()).contains(&good), "some seeds are good and some are not: {good} of {}", seeds.len());
    let dice = Dice(SeededRandom::new(42));
    let mut good = 0;
    for _ in 0..mutations {
        let mut input = seeds[dice.below(seeds.len())].clone();
        for _ in 0..=dice.below(4) {
            dice.mutate(&mut input, &seeds);
        }
        good += usize::from(verdict(&input));
    }
    assert!(good > 0 && good < mutations, "{good} of {mutations} are good");
}

struct Dice(SeededRandom);

impl Dice {
    fn below(&self, limit: usize) -> usize {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes).expect("it never ends");
        u32::from_le_bytes(bytes) as usize % limit.max(1)
    }

    fn byte(&self) -> u8 {
        let mut byte = [0];
        self.0.fill(&mut byte).expect("it never ends");
        byte[0]
    }

    /// One change: of a byte, of a bit, of the length, or by a part of itself or of another seed.
    fn mutate(&self, input: &mut Vec<u8>, seeds: &[Vec<u8>]) {
        let at = self.below(input.len() + 1);
        let until = (at + 1 + self.below(16)).min(input.len());
        match self.below(8) {
            0 => input.insert(at, self.byte()),
            1 => input.truncate(at),
            2 => drop(input.drain(at..until.max(at))),
            3 => input.extend_from_within(at..until.max(at)),
            4 => {
                let other = &seeds[self.below(seeds.len())];
                input.truncate(at);
                input.extend_from_slice(&other[self.below(other.len() + 1)..]);
            }
            5 | 6 => input.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << self.below(8)),
            _ => input.iter_mut().skip(at).take(1).for_each(|byte| *byte = self.byte()),
        }
    }
}
