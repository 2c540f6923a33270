/// Makes one `#[test]` of every case, in the module where it stands. The argument is the path of a `fn() ->
/// Subject` that makes a fresh subject for each.
#[macro_export]
macro_rules! conformance_tests {
    ($fresh:path) => {
        $crate::__one_test_per_case! { $fresh;
            streams::an_empty_stream_gives_no_handle,
            streams::empty_writes_are_no_state,
            streams::small_state_round_trips,
            streams::large_state_round_trips,
            streams::state_written_in_pieces_round_trips,
            streams::a_handle_has_the_size_that_was_written,
            streams::an_aborted_stream_leaves_nothing,
            streams::a_dropped_stream_leaves_nothing,
            streams::concurrent_streams_do_not_mix,
            streams::a_foreign_reference_is_refused,
            handles::a_wrong_length_is_refused,
            handles::a_wrong_checksum_is_refused,
            handles::a_missing_file_is_not_found,
            handles::an_exchanged_file_is_refused,
            checkpoints::an_id_is_begun_once,
            checkpoints::publishing_twice_keeps_the_first,
            checkpoints::of_many_publishers_one_wins,
            checkpoints::what_was_not_begun_cannot_be_published,
            checkpoints::a_missing_checkpoint_is_not_found,
            checkpoints::an_incomplete_checkpoint_cannot_be_opened,
            checkpoints::a_pointer_leads_back_or_is_refused,
            checkpoints::an_empty_pointer_is_refused,
            survey::a_new_job_has_nothing,
            survey::completed_is_told_from_incomplete,
            survey::ids_are_in_numeric_order,
            survey::jobs_do_not_see_each_other,
            survey::another_opening_sees_the_same,
            survey::the_end_of_a_job_is_seen,
            survey::a_job_ends_in_one_way,
            survey::a_suspended_job_has_not_ended,
            disposal::discarding_twice_is_harmless,
            disposal::an_incomplete_checkpoint_can_be_discarded,
            disposal::what_never_was_can_be_discarded,
            disposal::other_checkpoints_stay,
            disposal::nothing_is_left_behind,
            configuration::a_descriptor_builds_the_same_storage,
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __one_test_per_case {
    ($fresh:path; $($group:ident::$case:ident,)*) => {
        $(
            #[test]
            fn $case() {
                $crate::block_on($crate::cases::$group::$case(&$fresh));
            }
        )*
    };
}
