"""Where orders come from."""

import dagster as dg


@dg.asset(group_name="raw", compute_kind="csv")
def raw_orders():
    """Orders as the shop exports them."""


@dg.job
def refresh():
    @dg.op
    def ask_the_shop(): ...

    ask_the_shop()


@dg.schedule(cron_schedule="0 6 * * *", job=refresh, execution_timezone="Europe/Oslo")
def every_morning(context):
    return dg.RunRequest()


defs = dg.Definitions(assets=[raw_orders], jobs=[refresh], schedules=[every_morning])
