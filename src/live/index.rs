//! The index that events are matched against. It shares all unchanged parts with the index before it, so a change
//! copies one path through the maps and not the whole.

use std::sync::Arc;

use crate::flow::messages::{LiveTarget, LiveTemplate};
use crate::matching::Pattern;
use crate::matching::index::{Bucket, Listener, ListenerWitnesses};
use crate::model::event::{EventPattern, EventType};
use crate::model::id::{AccountId, KeyId, TemplateId, TriggerId};
use crate::model::key::{Key, KeyHash};
use crate::model::outcome::DropReason;
use crate::store::SavedTrigger;

/// A trigger, ready to fire. What a search reads of it comes first, in as few lines of memory as possible.
#[derive(Debug)]
#[repr(C)]
pub struct LiveTrigger {
    /// Its position in the filter index.
    filing: ListenerWitnesses,
    /// The filter that events must pass.
    pub pattern: Option<Pattern>,
    /// Its name.
    pub id: TriggerId,
    /// The events that it listens to.
    pub event: EventPattern,
    /// What it sends.
    pub template: TemplateId,
    /// Where it sends, or why all its firings are dropped.
    pub target: Result<LiveTarget, DropReason>,
    /// A disabled trigger is kept so that it can be tested; it never fires.
    pub enabled: bool,
}

impl Listener for LiveTrigger {
    fn pattern(&self) -> Option<&Pattern> {
        self.pattern.as_ref()
    }

    fn filing(&self) -> &ListenerWitnesses {
        &self.filing
    }
}

type Candidates = Bucket<LiveTrigger>;

/// Its seed is random, so that no client can choose names that collide.
type Map<K, V> = rpds::HashTrieMapSync<K, V, foldhash::quality::RandomState>;

/// What is live in one account.
#[derive(Debug, Clone, Default)]
pub struct LiveAccount {
    triggers: Map<TriggerId, Arc<LiveTrigger>>,
    /// Enabled triggers by what they listen to: one type, all types below a prefix, all types.
    exactly: Map<EventType, Candidates>,
    below: Map<EventType, Candidates>,
    any: Candidates,
    /// `None` for a saved template that is unusable.
    templates: Map<TemplateId, Option<Arc<LiveTemplate>>>,
}

/// All that is live.
#[derive(Debug, Clone, Default)]
pub struct Index {
    accounts: Map<AccountId, LiveAccount>,
    keys: Map<KeyHash, Arc<Key>>,
    hashes: Map<KeyId, KeyHash>,
    triggers: usize,
    templates: usize,
    unusable: usize,
}

impl Index {
    /// What is live in an account; `None` if that is nothing.
    pub fn account(&self, account: &AccountId) -> Option<&LiveAccount> {
        self.accounts.get(account)
    }

    /// A trigger, enabled or not.
    pub fn trigger(&self, account: &AccountId, id: &TriggerId) -> Option<&Arc<LiveTrigger>> {
        self.accounts.get(account)?.triggers.get(id)
    }

    /// A usable template.
    pub fn template(&self, account: &AccountId, id: &TemplateId) -> Option<Arc<LiveTemplate>> {
        self.accounts.get(account)?.template(id)
    }

    /// The key with this hash.
    pub fn key(&self, hash: &KeyHash) -> Option<&Arc<Key>> {
        self.keys.get(hash)
    }

    /// How many triggers are live, including disabled ones.
    pub fn triggers(&self) -> usize {
        self.triggers
    }

    /// How many templates are live.
    pub fn templates(&self) -> usize {
        self.templates
    }

    /// How many saved templates and triggers are unusable.
    pub(super) fn unusable(&self) -> usize {
        self.unusable
    }

    pub(super) fn set_trigger(&mut self, account: &AccountId, id: TriggerId, saved: Option<SavedTrigger>) {
        let entry = self.entry(account);
        let old = entry.triggers.get(&id).cloned();
        let (before, after) = (usize::from(old.is_some()), usize::from(saved.is_some()));
        let unusable_before = usize::from(old.as_ref().is_some_and(|old| old.target.is_err()));
        let unusable_after = usize::from(saved.as_ref().is_some_and(|saved| saved.target.is_err()));
        if let Some(old) = old {
            entry.unlist(&old);
            entry.triggers.remove_mut(&id);
        }
        if let Some(SavedTrigger { trigger, target }) = saved {
            let live = Arc::new(LiveTrigger {
                id: id.clone(),
                target,
                event: entry.shared_event(trigger.event),
                pattern: trigger.pattern,
                template: entry.shared_template(trigger.template),
                enabled: trigger.enabled,
                filing: ListenerWitnesses::default(),
            });
            entry.list(&live);
            entry.triggers.insert_mut(id, live);
        }
        self.triggers = self.triggers + after - before;
        self.unusable = self.unusable + unusable_after - unusable_before;
        self.tidy(account);
    }

    pub(super) fn set_template(
        &mut self,
        account: &AccountId,
        id: TemplateId,
        template: Option<Option<Arc<LiveTemplate>>>,
    ) {
        let entry = self.entry(account);
        let (old, new) = (entry.templates.get(&id), template.as_ref());
        let (before, after) = (usize::from(old.is_some()), usize::from(new.is_some()));
        let unusable = |template: &Option<_>| usize::from(template.is_none());
        let (unusable_before, unusable_after) = (old.map_or(0, unusable), new.map_or(0, unusable));
        entry.templates.remove_mut(&id);
        if let Some(template) = template {
            entry.templates.insert_mut(id, template);
        }
        self.templates = self.templates + after - before;
        self.unusable = self.unusable + unusable_after - unusable_before;
        self.tidy(account);
    }

    pub(super) fn set_key(&mut self, id: KeyId, key: Option<Key>) {
        if let Some(hash) = self.hashes.get(&id) {
            self.keys.remove_mut(hash);
        }
        self.hashes.remove_mut(&id);
        if let Some(key) = key {
            self.hashes.insert_mut(id, key.hash);
            self.keys.insert_mut(key.hash, Arc::new(key));
        }
    }

    /// An account's live records, for changes in place. Only parts that an older index shares are copied.
    fn entry(&mut self, account: &AccountId) -> &mut LiveAccount {
        if !self.accounts.contains_key(account) {
            self.accounts.insert_mut(account.clone(), LiveAccount::default());
        }
        self.accounts.get_mut(account).expect("it was inserted if it was missing")
    }

    /// An empty account is removed.
    fn tidy(&mut self, account: &AccountId) {
        if self.accounts.get(account).is_some_and(|entry| entry.triggers.is_empty() && entry.templates.is_empty()) {
            self.accounts.remove_mut(account);
        }
    }
}

impl LiveAccount {
    /// A usable template.
    pub fn template(&self, id: &TemplateId) -> Option<Arc<LiveTemplate>> {
        self.templates.get(id)?.clone()
    }

    /// The enabled triggers whose event pattern covers this type.
    pub fn listeners<'a, 't>(
        &'a self,
        event_type: &'t str,
    ) -> impl Iterator<Item = &'a Bucket<LiveTrigger>> + use<'a, 't> {
        // In most accounts no trigger listens to types below a prefix.
        let dots = if self.below.is_empty() { "" } else { event_type }.match_indices('.');
        let below = dots.filter_map(|(dot, _)| self.below.get(&event_type[..dot]));
        self.exactly.get(event_type).into_iter().chain(below).chain([&self.any])
    }

    /// The enabled triggers with exactly this event pattern.
    fn bucket(&self, event: &EventPattern) -> Option<&Candidates> {
        match event {
            EventPattern::Exactly(words) => self.exactly.get(words),
            EventPattern::Below(words) => self.below.get(words),
            EventPattern::Any => Some(&self.any),
        }
    }

    /// How many enabled triggers with this event pattern have a filter that no lookup can exclude.
    pub fn unselective(&self, event: &EventPattern) -> usize {
        self.bucket(event).map_or(0, Bucket::unselective)
    }

    /// The same event pattern, sharing the text of an equal one: a million triggers listen to a few dozen types.
    fn shared_event(&self, event: EventPattern) -> EventPattern {
        let shared = |map: &Map<EventType, Candidates>, words: EventType| {
            map.get_key_value(&words).map_or_else(|| words.clone(), |(own, _)| own.clone())
        };
        match event {
            EventPattern::Exactly(words) => EventPattern::Exactly(shared(&self.exactly, words)),
            EventPattern::Below(words) => EventPattern::Below(shared(&self.below, words)),
            EventPattern::Any => EventPattern::Any,
        }
    }

    /// The same id, sharing the text of the template's own.
    fn shared_template(&self, template: TemplateId) -> TemplateId {
        self.templates.get_key_value(&template).map_or_else(|| template.clone(), |(own, _)| own.clone())
    }

    fn list(&mut self, trigger: &Arc<LiveTrigger>) {
        if !trigger.enabled {
            return;
        }
        let put = |map: &mut Map<EventType, Candidates>, words: &EventType| {
            // Changed in place if no other index shares it.
            match map.get_mut(words) {
                Some(triggers) => triggers.add(trigger),
                None => {
                    let mut triggers = Candidates::default();
                    triggers.add(trigger);
                    map.insert_mut(words.clone(), triggers);
                }
            }
        };
        match &trigger.event {
            EventPattern::Exactly(words) => put(&mut self.exactly, words),
            EventPattern::Below(words) => put(&mut self.below, words),
            EventPattern::Any => self.any.add(trigger),
        }
    }

    fn unlist(&mut self, trigger: &Arc<LiveTrigger>) {
        let take = |map: &mut Map<EventType, Candidates>, words: &EventType| {
            let Some(triggers) = map.get_mut(words) else {
                return;
            };
            triggers.remove(trigger);
            if triggers.is_empty() {
                map.remove_mut(words);
            }
        };
        match &trigger.event {
            EventPattern::Exactly(words) => take(&mut self.exactly, words),
            EventPattern::Below(words) => take(&mut self.below, words),
            EventPattern::Any => self.any.remove(trigger),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Document;
    use crate::matching::FilterLimits;
    use crate::matching::index::Search;
    use crate::model::trigger::Trigger;
    use serde_json::json;

    fn account(name: &str) -> AccountId {
        AccountId::new(name).expect("a name")
    }

    fn trigger(id: &str, event: &str, enabled: bool) -> Trigger {
        let document = json!({"id": id, "event": event, "template": "w", "url": "http://h/", "enabled": enabled});
        Trigger::from_json(document).expect("a trigger")
    }

    fn set(index: &mut Index, to: &str, trigger: Trigger) {
        let target = LiveTarget { target: Arc::new(trigger.target()), expressions: None };
        let saved = SavedTrigger { target: Ok(target), trigger };
        index.set_trigger(&account(to), saved.trigger.id.clone(), Some(saved));
    }

    fn found(index: &Index, of: &str, event_type: &str) -> Vec<String> {
        let mut ids = Vec::new();
        let event_type = EventType::new(event_type).expect("a type");
        let document = Document::empty_object();
        let account = account(of);
        let buckets = index.account(&account).into_iter().flat_map(|account| account.listeners(event_type.as_str()));
        let mut search = Search::new(buckets, &FilterLimits::default());
        search.run(document.object().expect("an object"), usize::MAX, |trigger| {
            ids.push(trigger.id.to_string());
            true
        });
        ids.sort();
        ids
    }

    #[test]
    fn candidates_are_those_that_listen() {
        let mut index = Index::default();
        for (id, event) in [
            ("exact", "guest.note.added"),
            ("near", "guest.*"),
            ("nearer", "guest.note.*"),
            ("all", "*"),
            ("other", "booking.*"),
        ] {
            set(&mut index, "a", trigger(id, event, true));
        }
        set(&mut index, "a", trigger("off", "*", false));
        set(&mut index, "b", trigger("theirs", "*", true));
        assert_eq!(found(&index, "a", "guest.note.added"), ["all", "exact", "near", "nearer"]);
        assert_eq!(found(&index, "a", "guest"), ["all"]);
        assert_eq!(found(&index, "b", "guest"), ["theirs"]);
        assert_eq!(found(&index, "c", "guest"), [""; 0]);
        assert_eq!(index.triggers(), 7);
    }

    #[test]
    fn a_change_removes_the_old_entry_and_leaves_the_older_index_unchanged() {
        let mut index = Index::default();
        set(&mut index, "a", trigger("t", "guest.created", true));
        let before = index.clone();
        set(&mut index, "a", trigger("t", "booking.*", true));
        assert_eq!(found(&before, "a", "guest.created"), ["t"]);
        assert_eq!(found(&index, "a", "guest.created"), [""; 0]);
        assert_eq!(found(&index, "a", "booking.confirmed"), ["t"]);
        index.set_trigger(&account("a"), TriggerId::new("t").expect("a name"), None);
        assert_eq!((index.triggers(), index.accounts.size()), (0, 0));
    }
}
