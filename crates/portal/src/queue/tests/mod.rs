//! The promises of the queue, over thousands of random workloads.

mod cases;
mod promises;
mod saturation;
mod world;
