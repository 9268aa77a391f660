//! Reads the streams of a partition under one consumer name, over a connection of its own. Of packs it reads fewer at a
//! time than of other entries.

use std::time::Duration;

use super::entry::{StreamEntry, entries_of_each};
use super::intake::PartitionSource;
use super::{FULL, GROUP, STREAMS, command};
use crate::flow::in_flight::StreamKind;
use crate::redis::{Cmd, Pipeline, RESPONSE_WITHIN, RedisConnection, RedisResult, Value, has_code, within};

/// How long `XREADGROUP` blocks; a stop may have to wait as long.
const READ_BLOCKS_FOR: Duration = Duration::from_millis(250);

pub(super) struct StreamReader<'s> {
    connection: RedisConnection,
    source: &'s PartitionSource,
    consumer: &'s str,
    /// The last read did not return all that there was.
    has_more: bool,
    /// EARLIER(node): where only such nodes were before, a full Redis has no group for packs. It has no packs either.
    reads_packs: bool,
}

impl<'s> StreamReader<'s> {
    pub(super) async fn open(
        connection: RedisConnection,
        source: &'s PartitionSource,
        consumer: &'s str,
    ) -> RedisResult<Self> {
        let mut own = Self { connection, source, consumer, has_more: false, reads_packs: false };
        for stream in [StreamKind::First, StreamKind::Bulk] {
            own.make_group(stream).await?;
        }
        own.make_groups().await?;
        Ok(own)
    }

    /// Makes the group that a full Redis did not take, if there is one.
    pub(super) async fn make_groups(&mut self) -> RedisResult<()> {
        if !self.reads_packs {
            self.reads_packs = self.make_group(StreamKind::Packs).await? || self.has_group(StreamKind::Packs).await?;
        }
        Ok(())
    }

    /// Creates the consumer group of a stream if it is missing. It starts with the oldest entry. False: Redis is full, and
    /// reports nothing about the group; if it is missing, the first read says so.
    async fn make_group(&mut self, stream: StreamKind) -> RedisResult<bool> {
        let make = command("XGROUP", &["CREATE", self.key(stream), GROUP, "0", "MKSTREAM"]);
        match within(RESPONSE_WITHIN, make.query_async::<Value>(&mut self.connection)).await {
            Err(error) if has_code(&error, FULL) => Ok(false),
            Err(error) if !has_code(&error, "BUSYGROUP") => Err(error),
            _ => Ok(true),
        }
    }

    async fn has_group(&mut self, stream: StreamKind) -> RedisResult<bool> {
        let pending = command("XPENDING", &[self.key(stream), GROUP]);
        match within(RESPONSE_WITHIN, pending.query_async::<Value>(&mut self.connection)).await {
            Err(error) if has_code(&error, "NOGROUP") => Ok(false),
            other => other.map(|_| true),
        }
    }

    fn key(&self, stream: StreamKind) -> &'s str {
        &self.source.streams[stream as usize]
    }

    /// Reads up to this many entries of the other streams, and this many packs. If there was no more the last time, it waits for
    /// one, and reads as few of the others as of packs.
    pub(super) async fn read(&mut self, count: usize, packs_max: usize) -> RedisResult<[Vec<StreamEntry>; STREAMS]> {
        let (small, packs) = StreamKind::ALL.split_at(StreamKind::Packs as usize);
        let packs = if self.reads_packs { packs } else { &[] };
        let (responses, most) = if self.has_more {
            let mut questions = Pipeline::new();
            questions.add_command(self.question(count, None, small));
            if self.reads_packs {
                questions.add_command(self.question(packs_max, None, packs));
            }
            let responses: Vec<Value> = within(RESPONSE_WITHIN, questions.query_async(&mut self.connection)).await?;
            (responses, count)
        } else {
            let question = self.question(packs_max, Some(READ_BLOCKS_FOR), &[small, packs].concat());
            let reading = question.query_async(&mut self.connection);
            (vec![within(READ_BLOCKS_FOR + RESPONSE_WITHIN, reading).await?], packs_max)
        };
        let read = of_streams(responses, self.source);
        let most = [most, most, packs_max];
        self.has_more = read.iter().zip(most).any(|(entries, most)| entries.len() >= most);
        Ok(read)
    }

    fn question(&self, count: usize, wait: Option<Duration>, streams: &[StreamKind]) -> Cmd {
        let mut question = command("XREADGROUP", &["GROUP", GROUP, self.consumer, "COUNT", &count.to_string()]);
        if let Some(wait) = wait {
            question.arg("BLOCK").arg(wait.as_millis().to_string());
        }
        question.arg("STREAMS");
        for stream in streams {
            question.arg(self.key(*stream));
        }
        for _ in streams {
            question.arg(">");
        }
        question
    }
}

/// The entries of each stream in responses about some of them, in either version of the Redis protocol.
fn of_streams(responses: Vec<Value>, source: &PartitionSource) -> [Vec<StreamEntry>; STREAMS] {
    let pairs = |response| -> Vec<(Value, Value)> {
        match response {
            Value::Array(streams) => {
                let of_pair = |stream| match stream {
                    Value::Array(parts) => <[Value; 2]>::try_from(parts).ok().map(|[name, entries]| (name, entries)),
                    _ => None,
                };
                streams.into_iter().filter_map(of_pair).collect()
            }
            Value::Map(streams) => streams,
            _ => Vec::new(),
        }
    };
    let mut streams = [const { Value::Nil }; STREAMS];
    for (name, entries) in responses.into_iter().flat_map(pairs) {
        let is_own = |key: &String| matches!(&name, Value::BulkString(name) if name == key.as_bytes());
        if let Some(own) = source.streams.iter().position(is_own) {
            streams[own] = entries;
        }
    }
    entries_of_each(streams)
}
