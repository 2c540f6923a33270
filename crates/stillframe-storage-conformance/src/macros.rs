/// Makes one `#[test]` of every case, in the module where it stands. The argument is the path of a `fn() ->
/// Subject` that makes a fresh subject for each.
#[macro_export]
macro_rules! conformance_tests {
    ($fresh:path) => {
        $crate::__cases! { __one_test_per_case $fresh }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __one_test_per_case {
    (($fresh:path) $($group:ident::$case:ident,)*) => {
        /// What is said once about all of them.
        static __APPLIED: $crate::Applied = $crate::Applied::new();

        $(
            #[test]
            fn $case() {
                $crate::show(stringify!($group::$case), &__APPLIED, &$fresh, |fresh| {
                    $crate::block_on_case($crate::cases::$group::$case(fresh))
                });
            }
        )*
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __one_entry_per_case {
    (() $($group:ident::$case:ident,)*) => {
        &[$(
            $crate::Case {
                name: stringify!($group::$case),
                run: |fresh| $crate::block_on_case($crate::cases::$group::$case(fresh)),
            },
        )*]
    };
}

/// The list of cases, given to another macro.
#[doc(hidden)]
#[macro_export]
macro_rules! __cases {
    ($then:ident $($arguments:tt)*) => {
        $crate::$then! { ($($arguments)*)
            streams::an_empty_stream_gives_no_handle,
            streams::empty_writes_are_no_state,
            streams::small_state_round_trips,
            streams::large_state_round_trips,
            streams::state_written_in_pieces_round_trips,
            streams::shared_state_round_trips,
            streams::a_handle_has_the_size_that_was_written,
            streams::an_aborted_stream_leaves_nothing,
            streams::a_dropped_stream_leaves_nothing,
            streams::a_sync_without_state_succeeds,
            streams::state_can_be_written_after_a_sync,
            streams::several_checkpoints_are_written_at_once,
            streams::several_workers_write_one_checkpoint,
            streams::a_foreign_reference_is_refused,
            streams::after_an_error_a_stream_gives_no_handle,
            streams::a_failed_sync_is_not_forgotten,
            readers::a_reader_gives_what_it_says,
            readers::state_in_the_metadata_is_read_from_its_handle,
            readers::a_wrong_length_is_refused,
            readers::a_wrong_checksum_is_refused,
            readers::a_wrong_offset_is_refused,
            readers::a_missing_file_is_not_found,
            readers::an_exchanged_file_is_refused,
            readers::a_file_of_another_checkpoint_is_not_found,
            readers::a_directory_that_nobody_named_is_refused,
            readers::a_damaged_file_is_refused_before_it_is_used,
            checkpoints::an_id_is_begun_once,
            checkpoints::a_commit_makes_a_checkpoint_exist,
            checkpoints::committing_twice_keeps_the_first,
            checkpoints::what_was_not_begun_cannot_be_committed,
            checkpoints::a_foreign_reference_is_not_committed,
            checkpoints::a_missing_checkpoint_is_not_found,
            checkpoints::an_incomplete_checkpoint_cannot_be_opened,
            checkpoints::metadata_round_trips,
            checkpoints::retained_ids_are_in_numeric_order,
            checkpoints::a_commit_drops_others_with_it,
            checkpoints::a_commit_that_fails_drops_nothing,
            checkpoints::a_dropped_checkpoint_cannot_be_opened_after_its_removal,
            checkpoints::a_pointer_leads_back_or_is_refused,
            checkpoints::an_empty_pointer_is_refused,
            claims::opening_creates_nothing,
            claims::a_new_job_has_nothing,
            claims::a_second_coordinator_sees_what_the_first_completed,
            claims::a_second_coordinator_fences_the_first,
            claims::a_fenced_commit_changes_nothing,
            claims::a_fenced_coordinator_does_not_end_the_job,
            claims::the_holder_may_claim_again,
            claims::ids_are_never_used_again,
            claims::an_id_stays_used_after_its_checkpoint_is_gone,
            claims::ids_of_savepoints_are_used_too,
            claims::jobs_do_not_see_each_other,
            claims::the_end_of_a_job_is_seen,
            claims::a_job_ends_in_one_way,
            claims::a_suspended_job_has_not_ended,
            claims::the_end_drops_what_it_says,
            savepoints::a_savepoint_goes_where_it_was_asked_for,
            savepoints::a_savepoint_goes_to_the_default_place,
            savepoints::a_savepoint_without_a_place_is_refused,
            savepoints::a_savepoint_holds_all_its_state,
            savepoints::savepoints_do_not_collide,
            savepoints::a_savepoint_is_nobodys_checkpoint,
            savepoints::a_savepoint_is_published_once,
            savepoints::a_discarded_savepoint_leaves_nothing,
            savepoints::a_savepoint_can_be_moved,
            disposal::a_disposed_savepoint_leaves_nothing,
            disposal::other_savepoints_stay,
            disposal::a_savepoint_is_disposed_of_once,
            disposal::a_checkpoint_is_not_disposed_of,
            disposal::what_cannot_be_read_is_not_disposed_of,
            export::an_exported_checkpoint_needs_nothing_else,
            export::an_exported_savepoint_is_a_savepoint,
            export::what_was_exported_can_be_disposed_of,
            export::exports_do_not_collide,
            export::nothing_can_be_exported_from_nowhere,
            export::a_damaged_snapshot_is_not_exported,
            task_owned::task_owned_state_round_trips,
            task_owned::task_owned_state_is_never_inline,
            task_owned::task_owned_state_outlives_every_checkpoint,
            task_owned::task_owned_state_is_deleted_on_request,
            task_owned::other_state_is_not_task_owned,
            removal::discarding_twice_is_harmless,
            removal::an_incomplete_checkpoint_can_be_discarded,
            removal::what_never_was_can_be_discarded,
            removal::a_foreign_reference_is_not_discarded,
            removal::removing_twice_is_harmless,
            removal::other_checkpoints_stay,
            removal::shared_state_outlives_the_checkpoint_that_wrote_it,
            removal::shared_state_goes_when_it_is_named,
            removal::what_is_not_ours_stays,
            removal::nothing_is_left_behind,
            sweeping::a_sweep_of_nothing_finds_no_orphan,
            sweeping::a_dry_run_removes_nothing_and_says_why,
            sweeping::a_sweep_removes_what_nobody_needs,
            sweeping::a_sweep_leaves_what_is_retained,
            sweeping::a_sweep_spares_what_is_being_written,
            sweeping::a_sweep_spares_what_is_not_ours,
            sweeping::a_fenced_coordinator_sweeps_nothing_of_its_successor,
            adoption::a_taken_snapshot_is_a_checkpoint_of_the_job,
            adoption::a_taken_snapshot_goes_when_it_is_dropped,
            adoption::a_left_snapshot_is_no_checkpoint_of_the_job,
            adoption::a_left_snapshot_is_never_removed,
            adoption::an_unclaimed_snapshot_is_only_the_beginning,
            adoption::state_of_a_left_snapshot_can_be_referred_to,
            adoption::a_snapshot_does_not_go_before_own_checkpoints,
            adoption::a_fenced_coordinator_adopts_nothing,
            configuration::a_descriptor_builds_the_same_storage,
            configuration::a_rebuilt_storage_finds_the_checkpoints,
            configuration::a_rebuilt_worker_writes_for_the_coordinator,
            concurrency::concurrent_streams_do_not_mix,
            concurrency::tasks_sync_together,
            concurrency::readers_do_not_disturb_each_other,
            concurrency::of_many_committers_one_wins,
            concurrency::whatever_was_committed_survives_many_claims,
            concurrency::coordinators_that_sweep_at_once_are_fenced_at_most,
        }
    };
}
